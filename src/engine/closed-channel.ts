/** What becomes of a call to Temporal whose connection was closed while it waited for its next try. */
import type { ConnectionOptions } from '@temporalio/client';

type Interceptor = NonNullable<ConnectionOptions['interceptors']>[number];
type Call = ReturnType<Interceptor>;

const cancelled = 1;

/**
 * The client's retries run from a timer, where a channel that was shut down throws past every handler and takes the
 * process with it. Inside of them, such a call ends with CANCELLED instead.
 */
export const endsWithItsChannel: Interceptor = (options, nextCall) => {
  try {
    return nextCall(options) as Call;
  } catch (error) {
    return endedCall((error as Error).message);
  }
};

/** Only `start` does something: it says that the call is over. */
function endedCall(details: string): Call {
  const nothing = (): void => undefined;
  const call: Pick<Call, 'start' | 'sendMessage' | 'sendMessageWithContext' | 'startRead' | 'halfClose' | 'cancelWithStatus' | 'getPeer' | 'getAuthContext'> = {
    start(metadata, listener) {
      // An error carries metadata into logs; the call's own holds the API key.
      const none = metadata.clone();
      for (const key of Object.keys(none.getMap())) none.remove(key);
      setImmediate(() => {
        // As every unary call does before it fails: the retries rely on it.
        listener?.onReceiveMessage?.(null);
        listener?.onReceiveStatus?.({ code: cancelled, details, metadata: none });
      });
    },
    sendMessage: nothing, sendMessageWithContext: nothing, startRead: nothing, halfClose: nothing, cancelWithStatus: nothing,
    getPeer: () => 'closed', getAuthContext: () => null,
  };
  return call as Call;
}
