import { post } from '../../api.ts';
import { ActionButton } from '../../parts/action-button.tsx';
import { Age } from '../../parts/age.tsx';
import { Chip } from '../../parts/chip.tsx';
import type { Tone } from '../../tone.ts';
import { Empty, Loaded } from '../../parts/states.tsx';
import { useResource } from '../../resource.ts';
import { may } from '../../session.ts';
import { plural } from '../../words.ts';

interface Delivery { delivery_id: string; channel: string; kind: string; state: 'pending' | 'delivered' | 'failed'; attempts: number; last_error: string | null; title: string; at: string; ended_at: string | null }
interface Answer { items: Delivery[]; channels: { channel: string; kind: string }[]; config_problem: string | null }

const tones: Readonly<Record<Delivery['state'], Tone>> = { pending: 'run', delivered: 'good', failed: 'bad' };
const shown = 30;

/** Channels with a way to try each, and what people were told lately. */
export function Notifications() {
  const told = useResource<Answer>(`/notifications?limit=${shown}`, { on: ({ type }) => type.startsWith('notification.'), every_ms: 15_000 });
  return (
    <div class="sections one">
      <Loaded of={told} what="notifications">
        {({ items, channels, config_problem: problem }) => (
          <>
            {problem !== null && <p class="stale" role="alert"><b>Nothing is sent:</b> {problem}. Until it is mended messages wait; none is lost.</p>}
            <section>
              <h3>Channels</h3>
              {channels.length === 0 && problem === null && <Empty title="Nobody is told of anything">Channels and routes are declared in <code>config/notifications.yaml</code>: webhook, Slack or e-mail.</Empty>}
              {channels.map(({ channel, kind }) => <Channel key={channel} channel={channel} kind={kind} last={items.find((delivery) => delivery.channel === channel)} />)}
            </section>
            <section>
              <h3>Told lately</h3>
              {items.length === 0 && <Empty title="Nothing yet">What was sent, is on its way or could not be delivered appears here.</Empty>}
              {items.map((delivery) => <Sent key={delivery.delivery_id} delivery={delivery} />)}
            </section>
          </>
        )}
      </Loaded>
    </div>
  );
}

function Channel({ channel, kind, last }: { channel: string; kind: string; last: Delivery | undefined }) {
  async function test(): Promise<string> {
    const { delivery_id: id } = await post<{ delivery_id: string }>('/notifications/test', { channel });
    return `A test message to ${channel} is on its way (${id}); below it shows how it went.`;
  }
  return (
    <div class="row told-row">
      <span class="mono">{kind}</span>
      <span class="wrap"><b>{channel}</b> <span class="sub">{last === undefined ? 'nothing was sent yet' : <>last message <Age at={last.at} />: {last.state}</>}</span></span>
      {may('notification:test') ? <ActionButton run={test} title={`Send a test message to ${channel}`}>Test</ActionButton> : <span />}
    </div>
  );
}

const Sent = ({ delivery: { channel, state, title, at, attempts, last_error: error } }: { delivery: Delivery }) => (
  <div class="row told-row">
    <Chip tone={tones[state]}>{state}</Chip>
    <span class="wrap">{title}<span class="sub"> · {channel}{attempts > 1 && `, ${plural(attempts, 'attempt')}`}</span>{error !== null && <div class="sub">{error}</div>}</span>
    <span class="sub"><Age at={at} /></span>
  </div>
);
