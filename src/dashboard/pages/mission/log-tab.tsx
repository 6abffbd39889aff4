import { useSignal } from '@preact/signals';
import { useEffect, useRef } from 'preact/hooks';
import type { EvidenceRef } from '../../../domain/stages.ts';
import { artifactPath } from '../../api.ts';
import { logText } from '../../log-text.ts';
import { Empty, Loading } from '../../parts/states.tsx';
import { bytes, inWords } from '../../words.ts';
import { shownBytes, useArtifact } from './artifact.ts';

export interface StageLog extends EvidenceRef { stage: string; attempt: number }

const tailChars = 100_000;

/** The end of what a command printed. Colours and control characters are taken out: it is hostile text until then. */
export function LogTab({ logs }: { logs: readonly StageLog[] }) {
  const chosen = useSignal<string | null>(null);
  const box = useRef<HTMLPreElement>(null);
  const log = logs.find((one) => one.sha256 === chosen.value) ?? logs.at(-1);
  const { text, error } = useArtifact(log);
  useEffect(() => { box.current?.scrollTo(0, box.current.scrollHeight); }, [text]);
  if (log === undefined) return <Empty title="No output yet">What commands print is kept when they have ended; while they run, the stages above are live.</Empty>;
  return (
    <>
      <div class="bar pad">
        <select aria-label="Log" value={log.sha256} onChange={(event) => { chosen.value = event.currentTarget.value; }}>
          {logs.map((one) => <option key={one.sha256} value={one.sha256}>{inWords(one.stage)} {one.attempt}: {one.summary}</option>)}
        </select>
        <span class="sub grow">{bytes(log.size_bytes)}</span>
        <a class="button" href={artifactPath(log.sha256)} download={`${log.stage}-${log.attempt}.log`}>Download</a>
      </div>
      {log.size_bytes > shownBytes ? <Empty title="Too large to show">Download it instead.</Empty>
        : text === null ? (error === null ? <Loading what="the log" /> : <Empty title="Not readable">{error}</Empty>)
        : <pre ref={box} class="log" tabIndex={0} aria-label="Output">{text.length > tailChars && `… ${bytes(text.length - tailChars)} before this\n`}{logText(text.slice(-tailChars))}</pre>}
    </>
  );
}
