/** Kinds of settings that several sections have. */
import { z } from "zod";
import { duration, TIMER_MS_MAX } from "./durations.ts";

export const flag = (fallback: boolean, description: string) =>
  z.boolean().default(fallback).describe(description);
export const count = (fallback: number, description: string) =>
  z.int().min(0).default(fallback).describe(description);
export const positive = (fallback: number, description: string) =>
  z.int().min(1).default(fallback).describe(description);
export const timer = (fallback: string, description: string) =>
  duration({ minMs: 1, maxMs: TIMER_MS_MAX }).prefault(fallback).describe(description);
export const path = z
  .string()
  .regex(/^(?:\/[-A-Za-z0-9_.~]+)+$/, 'must begin with "/" and not end with it');
