import type { EvidenceRef } from '../../../domain/stages.ts';
import { artifactPath, inPath } from '../../api.ts';
import { Copyable } from '../../parts/copyable.tsx';
import { Empty, Loaded } from '../../parts/states.tsx';
import type { Resource } from '../../resource.ts';
import { bytes, inWords } from '../../words.ts';

export interface StageEvidence extends EvidenceRef { stage: string; attempt: number }

const extension: Readonly<Record<string, string>> = { 'application/json': 'json', 'text/plain': 'txt', 'text/markdown': 'md', 'text/x-diff': 'diff', 'application/sarif+json': 'sarif' };

/** Everything that was stored about this mission, under its sha256. */
export const EvidenceTab = ({ evidence, missionId }: { evidence: Resource<{ items: StageEvidence[] }>; missionId: string }) => (
  <Loaded of={evidence} what="evidence">
    {({ items }) => (items.length === 0
      ? <Empty title="Nothing yet">Every stage leaves what it ran or measured here.</Empty>
      : (
        <div class="scroll-x">
          <table>
            <thead><tr><th>Stage</th><th>What</th><th>sha256</th><th class="right">Size</th><th /></tr></thead>
            <tbody>
              {items.map((item, i) => (
                <tr key={i}>
                  <td>{inWords(item.stage)}{item.attempt > 1 && ` ${item.attempt}`}</td>
                  <td class="wrap"><b>{item.kind.replaceAll('_', ' ')}</b> {item.summary}</td>
                  <td><Copyable value={item.sha256} short={12} /></td>
                  <td class="right mono">{bytes(item.size_bytes)}</td>
                  <td class="right"><a href={artifactPath(item.sha256)} download={`${inPath(missionId)}-${item.stage}-${item.kind}.${extension[item.media_type.split(';')[0]!] ?? 'bin'}`} aria-label={`Download ${item.kind} of ${item.stage}`}>Download</a></td>
                </tr>
              ))}
            </tbody>
          </table>
        </div>
      ))}
  </Loaded>
);
