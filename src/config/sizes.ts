/** Sizes in bytes that more than one dialect has. */
import { z } from "zod";

/** A larger body is never held. */
export const BODY_BYTES_MAX = 10_485_760;
/** An object that says nothing but whom it is about is longer. */
const BODY_BYTES_MIN = 1024;

/** Of a call on `api`. What its JSON costs is one step, in which nobody else is served: so the default is far from the most. */
export const bodySizeLimit = (fallback: number, description: string) =>
  z.int().min(BODY_BYTES_MIN).max(BODY_BYTES_MAX).default(fallback).describe(description);
