import { post } from '../../api.ts';
import { ActionButton } from '../../parts/action-button.tsx';
import type { Question } from '../../parts/ask.ts';
import { sayRefused } from '../../parts/answers.tsx';
import { plural } from '../../words.ts';

type Action = 'pause' | 'resume' | 'abort' | 'retry';
interface Result { mission_id: string; ok: boolean; status: number; problem?: { code: string; detail: string } }

/** The API takes so many at once. */
const atOnce = 100;
const done: Readonly<Record<Action, string>> = { pause: 'paused', resume: 'resumed', abort: 'aborted', retry: 'retried' };

const questions: Readonly<Record<Action, (n: string) => Question>> = {
  pause: (n) => ({ title: `Pause ${n}?`, effect: 'Each stops before its next stage and stays there until somebody resumes it. What is being done now is finished.', verb: 'Pause', reason: 'optional' }),
  resume: (n) => ({ title: `Resume ${n}?`, effect: 'Each goes on where it was paused.', verb: 'Resume', reason: 'optional' }),
  abort: (n) => ({ title: `Abort ${n}?`, effect: 'Each ends now, and cannot be started again. What has landed stays landed; what is being watched is no longer watched.', verb: 'Abort', dangerous: true, reason: 'required' }),
  retry: (n) => ({ title: `Retry ${n}?`, effect: 'Each runs the stage it is parked in again. Those that are not parked say so.', verb: 'Retry', reason: 'optional' }),
};

/** What can be done with the selected missions at once. Each answers for itself. */
export function BatchBar({ ids, clear }: { ids: readonly string[]; clear: () => void }) {
  async function all(action: Action, reason: string): Promise<string | null> {
    const results: Result[] = [];
    for (let i = 0; i < ids.length; i += atOnce) {
      const answer = await post<{ results: Result[] }>('/missions/batch', { mission_ids: ids.slice(i, i + atOnce), action, ...(reason === '' ? {} : { reason }) });
      results.push(...answer.results);
    }
    const refused = results.filter((result) => !result.ok);
    const good = results.length - refused.length;
    if (refused.length > 0) {
      const listed = refused.slice(0, 3).map((result) => `${result.mission_id}: ${result.problem?.detail ?? result.status}`);
      sayRefused(new Error(`${refused.length} of ${results.length} could not be ${done[action]}. ${listed.join('; ')}${refused.length > 3 ? '; …' : ''}`));
    }
    clear();
    return good === 0 ? null : `${plural(good, 'mission')} ${done[action]}`;
  }
  return (
    <div class="bar batch" role="group" aria-label="Selected missions">
      <b>{plural(ids.length, 'mission')} selected</b>
      {(['pause', 'resume', 'retry', 'abort'] as const).map((action) => (
        <ActionButton key={action} tone={action === 'abort' ? 'danger' : undefined} ask={questions[action](plural(ids.length, 'mission'))} run={(reason) => all(action, reason)}>
          {action === 'abort' ? 'Abort…' : action === 'pause' ? 'Pause…' : action === 'resume' ? 'Resume…' : 'Retry…'}
        </ActionButton>
      ))}
      <button type="button" class="link" onClick={clear}>clear</button>
    </div>
  );
}
