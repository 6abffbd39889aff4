/** `replay-window`: a mission's windows judged once more, here, from their stored samples. */
import { isDeepStrictEqual } from 'node:util';
import { Command } from 'commander';
import { rederived, type ObservationView, type WindowView } from '../../../domain/observation-view.ts';
import type { WindowVerdict } from '../../../domain/judge.ts';
import { apiPath, say, sayJson, type OutputOptions } from '../answer.ts';
import { id } from '../arguments.ts';
import { connect } from '../connection.ts';
import { Ending, exitCodes } from '../exit.ts';
import { safe } from '../safe-text.ts';
import { short, table } from '../terminal.ts';
import { shortTime } from '../words.ts';

interface Replayed extends WindowView {
  rederived: WindowVerdict;
  /** Null: there is no verdict of the judge to compare with. */
  same: boolean | null;
}

export const replayWindowCommand = (): Command => new Command('replay-window')
  .description('judge the observation windows of a mission again, from their stored samples; fails when a verdict is not the recorded one')
  .argument('<mission>', 'mission id', id)
  .option('--json', 'print what the API answers with both verdicts beside each other')
  .action(async (mission: string, { json }: OutputOptions) => {
    const view = await connect().get<ObservationView>(apiPath('missions', mission, 'observation'));
    const windows = view.windows.map(replay);
    if (json) sayJson(JSON.stringify({ mission_id: view.mission_id, windows }));
    else say(windows.map(windowPage).join('\n\n') || `${safe(mission)} has not been observed`);
    const different = windows.filter(({ same }) => same === false).map(({ window }) => window);
    if (different.length > 0) throw new Ending(exitCodes.failed, `the samples of window ${different.join(', ')} do not give the recorded verdict`);
    // Nothing compared is not the same as nothing different.
    if (windows.every(({ same }) => same === null)) throw new Ending(exitCodes.failed, 'there is no verdict of the judge to compare with');
  });

function replay(window: WindowView): Replayed {
  // Through JSON, as the recorded one went.
  const again = JSON.parse(JSON.stringify(rederived(window))) as WindowVerdict;
  return { ...window, rederived: again, same: window.state === 'judged' ? isDeepStrictEqual(again, window.verdict) : null };
}

const verdictText = ({ verdict, reason }: WindowVerdict): string => `${verdict}: ${safe(reason)}`;

function windowPage({ window, state, t0, revision, samples, confounders, verdict: recorded, rederived: again, same }: Replayed): string {
  const comparison = same === null
    ? { running: 'it still runs', cancelled: 'it was cancelled', decided: 'a person decided', judged: '' }[state] : same ? 'the same' : 'DIFFERENT';
  return [
    `window ${window}, from ${shortTime(t0)}, of ${safe(revision ?? 'an unrecorded revision')}`,
    ...(samples.length === 0 ? ['no ticks'] : [table(['tick', 'at', 'metric', 'sample', 'value', 'why'], samples.map((sample) => [
      String(sample.tick), sample.at.slice(11, 23), safe(sample.metric_id), sample.kind, sample.value === null ? '' : String(sample.value), short(sample.reason ?? ''),
    ]))]),
    ...confounders.map(({ at, summary }) => `confounder ${shortTime(at)}: ${safe(summary)}`),
    `recorded    ${recorded === null ? 'none' : verdictText(recorded)}`,
    `re-derived  ${verdictText(again)}`,
    `compared    ${comparison}`,
  ].join('\n');
}
