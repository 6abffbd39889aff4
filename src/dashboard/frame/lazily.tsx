import { useSignal } from '@preact/signals';
import type { FunctionComponent } from 'preact';
import { useEffect } from 'preact/hooks';

/** A component whose code is loaded when it is first shown, and at once from then on. Nothing stands in its place until it has come. */
export function lazily<P extends object>(load: () => Promise<FunctionComponent<P>>): FunctionComponent<P> {
  let Loaded: FunctionComponent<P> | undefined;
  return function Lazy(props: P) {
    const arrived = useSignal(false);
    useEffect(() => {
      if (Loaded !== undefined) return;
      load().then((component) => {
        Loaded = component;
        arrived.value = true;
      }, () => undefined);
    }, []);
    // Read so that this renders again when the code has come.
    void arrived.value;
    return Loaded === undefined ? null : <Loaded {...props} />;
  };
}
