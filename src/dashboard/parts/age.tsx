import { absolute, clock, duration, now, relative } from '../time.ts';

/** A moment, relative and ticking; the absolute on hover. */
export const Age = ({ at }: { at: string }) => <time dateTime={at} title={absolute(at)}>{relative(at, now.value)}</time>;

/** How long it has been, or will be, without "ago" or "in": for sentences of your own. */
export const Span = ({ at }: { at: string }) =>
  <time dateTime={at} title={absolute(at)}>{duration(Math.abs(now.value - Date.parse(at)))}</time>;

/** `04:21:09`; the whole of it on hover. */
export const Clock = ({ at }: { at: string }) => <time class="mono" dateTime={at} title={absolute(at)}>{clock(at)}</time>;
