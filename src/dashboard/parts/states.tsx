/** What a page shows when there is nothing to show yet, nothing at all, or something went wrong. */
import type { ComponentChildren } from 'preact';
import { useEffect } from 'preact/hooks';
import type { ApiProblem } from '../api.ts';
import type { Resource } from '../resource.ts';
import { Age } from './age.tsx';

/** Nothing here: says what would be, and the next step to get it. */
export const Empty = ({ title, children }: { title: string; children?: ComponentChildren }) => (
  <div class="empty"><b>{title}</b>{children !== undefined && <p>{children}</p>}</div>
);

type Retry = () => Promise<void>;

const againMs = 2_000;

/** What nothing answered, or what the server could not do now, is tried again by itself. */
function useAgain(error: ApiProblem, retry: Retry | undefined): void {
  useEffect(() => {
    if (retry === undefined || (error.status !== 0 && error.status < 500)) return undefined;
    // With jitter: a hundred pages do not ask at one moment.
    const timer = setTimeout(() => { void retry(); }, againMs * (1 + Math.random()));
    return () => clearTimeout(timer);
  }, [error]);
}

export function Failed({ error, retry }: { error: ApiProblem; retry?: Retry | undefined }) {
  useAgain(error, retry);
  return (
    <div class="failed" role="alert">
      <b>{error.status === 404 ? 'Not there' : error.status === 403 ? 'Not for this key' : 'Not loaded'}</b>
      <p>{error.message} <span class="mono">{error.code}</span></p>
      {retry !== undefined && <button type="button" onClick={() => { void retry(); }}>Try again</button>}
    </div>
  );
}

function Stale({ error, since, retry }: { error: ApiProblem; since: string; retry: Retry }) {
  useAgain(error, retry);
  return (
    <p class="stale" role="alert">
      What you see was loaded <Age at={since} />. {error.message}. <button type="button" class="link" onClick={() => { void retry(); }}>Try again</button>
    </p>
  );
}

export const Loading = ({ what }: { what: string }) => <p class="loading">Loading {what} …</p>;

/** Loaded data, or why there is none; when a reload failed, the old data with its age. */
export function Loaded<T>({ of, what, children }: { of: Resource<T>; what: string; children: (data: T) => ComponentChildren }) {
  if (of.data === null) return of.error === null ? <Loading what={what} /> : <Failed error={of.error} retry={of.reload} />;
  return (
    <>
      {of.error !== null && of.loaded_at !== null && <Stale error={of.error} since={of.loaded_at} retry={of.reload} />}
      {children(of.data)}
    </>
  );
}
