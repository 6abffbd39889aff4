import type { Approval } from '../../../domain/approval.ts';
import { artifactPath } from '../../api.ts';
import { Card } from '../../parts/card.tsx';
import { Chip } from '../../parts/chip.tsx';
import { Copyable } from '../../parts/copyable.tsx';
import { Diff } from '../../parts/diff.tsx';
import { Empty, Failed, Loading } from '../../parts/states.tsx';
import { bytes, inWords, plural } from '../../words.ts';
import { changeOf, useEvidence, type ChangeEvidence, type Verdict } from './evidence.ts';

/** A code change: the diff that was tested, what the tests said, and whatever else was gathered. */
export function Change({ approval }: { approval: Approval }) {
  const looked = useEvidence(approval, changeOf);
  if (looked.state === 'loading') return <Card title="Change"><Loading what="the change and its evidence" /></Card>;
  if (looked.state === 'failed') return <Card title="Change"><Failed error={looked.error} /></Card>;
  return (
    <>
      <Tests verdict={looked.value.verdict} />
      <Patch evidence={looked.value} />
      <Others items={looked.value.others} />
    </>
  );
}

const lists: readonly [keyof Verdict & ('reasons' | 'must_pass_tests' | 'vanished' | 'tolerated'), string][] = [
  ['reasons', 'Not proved because'], ['must_pass_tests', 'Required, and seen to pass'], ['vanished', 'Passed on the base and gone now'], ['tolerated', 'Failed on the base, too'],
];

const Tests = ({ verdict }: { verdict: Verdict | null }) => {
  if (verdict === null) return <Card title="Tests"><Empty title="No test result for this tree">The evidence of this mission holds none. Do not take it for passed.</Empty></Card>;
  const { passed, failed, skipped } = verdict.counts;
  return (
    <Card title="Tests, run on exactly this tree" aside={<Copyable value={verdict.candidate} short={12} />}>
      <div class="verdict">
        <Chip tone={verdict.passed ? 'good' : 'bad'}>{verdict.passed ? 'proved' : 'not proved'}</Chip>
        <span class="num">{passed} passed · {failed} failed · {skipped} skipped</span>
      </div>
      {lists.filter(([name]) => verdict[name].length > 0).map(([name, title]) => (
        <div class="names" key={name}><h3>{title}</h3><ul>{verdict[name].map((line) => <li key={line} class="mono wrap">{line}</li>)}</ul></div>
      ))}
    </Card>
  );
};

function Patch({ evidence: { candidate, diff, source } }: { evidence: ChangeEvidence }) {
  if (candidate === null) return <Card title="Change"><Empty title="This tree is not in the evidence">The mission may have gone on to another candidate since.</Empty></Card>;
  const protectedOnes = candidate.touched_protected_paths;
  return (
    <Card title="Change" aside={plural(candidate.files.length, 'file')}>
      {protectedOnes.length > 0 && <p class="stale">Protected: <span class="mono">{protectedOnes.join(', ')}</span></p>}
      {diff !== null
        ? <Diff text={diff} />
        : (
          <div class="names">
            <p class="sub">{source === null ? 'What it came as is not in the evidence.' : `It is ${bytes(source.size_bytes)} as ${source.media_type} (${source.summary}), which this page does not draw.`} Commit <Copyable value={candidate.commit} /> in the mission's mirror holds it.</p>
            <ul>{candidate.files.map((file) => <li key={file} class="mono wrap">{file}</li>)}</ul>
          </div>
        )}
      {source !== null && <p class="none"><a href={artifactPath(source.sha256)} download>Download as it was handed in</a></p>}
    </Card>
  );
}

const Others = ({ items }: { items: ChangeEvidence['others'] }) => (
  <Card title="Other evidence" aside={plural(items.length, 'artefact')}>
    {items.length === 0 ? <Empty title="Nothing else was gathered" /> : (
      <ul class="artefacts">
        {items.map((item) => (
          <li key={`${item.stage} ${item.attempt} ${item.kind} ${item.sha256}`}>
            <a class="mono" href={artifactPath(item.sha256)} download>{item.kind}</a>
            <span class="wrap">{item.summary}<span class="faint"> · {inWords(item.stage).toLowerCase()}</span></span>
            <span class="mono faint">{bytes(item.size_bytes)}</span>
          </li>
        ))}
      </ul>
    )}
  </Card>
);
