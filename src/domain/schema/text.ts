import { z } from 'zod';

// PostgreSQL stores neither NUL nor an unpaired surrogate in text or jsonb, and no text of ours needs one.
const unstorable = /\0|\p{Surrogate}/u;

/** A text that can be stored as it is. @param max in UTF-16 units */
export const text = (max: number, min = 1) =>
  z.string().min(min).max(max).refine((s) => !unstorable.test(s), 'no NUL characters or unpaired surrogates');
