/** Kinds of settings that several sections have. */
import { z } from "zod";
import { TIMER_MS_MAX, duration } from "./durations.ts";

// Shared, since there are hundreds of such settings, and each schema costs a start as much as the rest of its setting.
const FLAG = z.boolean();
const COUNT = z.int().min(0);
const POSITIVE = z.int().min(1);
const TIMER = duration({ minMs: 1, maxMs: TIMER_MS_MAX });

export const flag = (fallback: boolean, description: string) =>
  FLAG.default(fallback).describe(description);
export const count = (fallback: number, description: string) =>
  COUNT.default(fallback).describe(description);
export const positive = (fallback: number, description: string) =>
  POSITIVE.default(fallback).describe(description);
export const timer = (fallback: string, description: string) =>
  TIMER.prefault(fallback).describe(description);
export const path = z
  .string()
  .regex(/^(?:\/[-A-Za-z0-9_.~]+)+$/, 'must begin with "/" and not end with it');

/** A larger body is never held. */
export const BODY_BYTES_MAX = 10_485_760;
/** An object that says nothing but whom it is about is longer. */
const BODY_BYTES_MIN = 1024;

/** Of a call on `api`. What its JSON costs is one step, in which nobody else is served: so the default is far from the most. */
export const bodySizeLimit = (fallback: number, description: string) =>
  z.int().min(BODY_BYTES_MIN).max(BODY_BYTES_MAX).default(fallback).describe(description);
