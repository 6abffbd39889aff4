/** What a page shows when there is nothing to show yet, nothing at all, or something went wrong. */
import type { ComponentChildren } from 'preact';
import type { ApiProblem } from '../api.ts';
import type { Resource } from '../resource.ts';
import { Age } from './age.tsx';

/** Nothing here: says what would be, and the next step to get it. */
export const Empty = ({ title, children }: { title: string; children?: ComponentChildren }) => (
  <div class="empty"><b>{title}</b>{children !== undefined && <p>{children}</p>}</div>
);

export const Failed = ({ error, retry }: { error: ApiProblem; retry?: (() => Promise<void>) | undefined }) => (
  <div class="failed" role="alert">
    <b>{error.status === 404 ? 'Not there' : error.status === 403 ? 'Not for this key' : 'Not loaded'}</b>
    <p>{error.message} <span class="mono">{error.code}</span></p>
    {retry !== undefined && <button type="button" onClick={() => { void retry(); }}>Try again</button>}
  </div>
);

export const Loading = ({ what }: { what: string }) => <p class="loading">Loading {what} …</p>;

/** Loaded data, or why there is none; when a reload failed, the old data with its age. */
export function Loaded<T>({ of, what, children }: { of: Resource<T>; what: string; children: (data: T) => ComponentChildren }) {
  if (of.data === null) return of.error === null ? <Loading what={what} /> : <Failed error={of.error} retry={of.reload} />;
  return (
    <>
      {of.error !== null && of.loaded_at !== null && (
        <p class="stale" role="alert">What you see was loaded <Age at={of.loaded_at} />. {of.error.message}. <button type="button" class="link" onClick={() => { void of.reload(); }}>Try again</button></p>
      )}
      {children(of.data)}
    </>
  );
}
