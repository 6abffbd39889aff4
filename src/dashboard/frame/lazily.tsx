import { useSignal } from '@preact/signals';
import type { FunctionComponent } from 'preact';
import { useEffect } from 'preact/hooks';

/** A component whose code is loaded when it is first shown. Nothing stands in its place until then. */
export function Lazily<P extends object>({ load, props }: { load: () => Promise<FunctionComponent<P>>; props: P }) {
  const loaded = useSignal<{ Component: FunctionComponent<P> } | null>(null);
  useEffect(() => { void load().then((Component) => { loaded.value = { Component }; }); }, []);
  if (loaded.value === null) return null;
  const { Component } = loaded.value;
  return <Component {...props} />;
}
