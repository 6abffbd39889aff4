/** Three ways to show a mission's changes: lines for a pipe or a log, a table that is redrawn, the API's JSON. */
import { clearScreenDown, moveCursor } from 'node:readline';
import { stripVTControlCharacters } from 'node:util';
import type { Answer } from '../client.ts';
import type { MissionDetail } from '../../domain/mission-view.ts';
import type { StageRecord } from '../../domain/stages.ts';
import { isTerminal } from '../../domain/mission.ts';
import { say, sayJson } from './answer.ts';
import { stageLine, stageTable } from './mission-words.ts';
import { safe } from './safe-text.ts';
import { styled, tone } from './terminal.ts';
import { ending, nextStep, waitSentence } from './words.ts';

export interface Watcher {
  /** @param stages every attempt of every stage */
  changed(answer: Answer<MissionDetail>, stages: readonly StageRecord[]): void;
  /** Nothing new; ages grow. */
  unchanged(answer: Answer<MissionDetail>): void;
  ended(mission: MissionDetail): void;
}

export const jsonWatcher = (): Watcher => ({
  changed: ({ text }) => sayJson(text),
  unchanged: () => undefined,
  ended: () => undefined,
});

/** One line for each stage change and each new wait, then the end. */
export function lineWatcher(): Watcher {
  const said = new Set<string>();
  let begun = false;
  const once = (key: string, line: () => string): void => {
    if (said.has(key)) return;
    said.add(key);
    say(line());
  };
  return {
    changed({ body: mission }, stages) {
      if (!begun) say(`${mission.mission_id}  ${safe(mission.title)}`);
      if (!begun && mission.status === 'open') say(nextStep(mission));
      begun = true;
      for (const stage of [...stages].sort(byTime)) {
        if (stage.status === 'pending') continue;
        once(`${stage.name}:${stage.attempt}:${stage.status}`, () => stageLine(stage));
      }
      const wait = mission.waiting_on;
      if (wait !== null && !isTerminal(mission.status)) once(`${wait.kind}:${wait.since}`, () => `          ${waitSentence(wait)}`);
    },
    unchanged: () => undefined,
    ended: (mission) => say(`${mission.mission_id} is ${ending(mission)}`),
  };
}

const byTime = (a: StageRecord, b: StageRecord): number =>
  Date.parse(a.ended_at ?? a.started_at ?? '') - Date.parse(b.ended_at ?? b.started_at ?? '') || 0;

/** The eleven stages in place, for a person who looks at them. */
export function tableWatcher(out: NodeJS.WriteStream = process.stdout): Watcher {
  let height = 0;
  let drawnAt = 0;
  function draw(mission: MissionDetail): void {
    const text = [
      `${styled('bold', mission.mission_id)}  ${safe(mission.title)}  ${tone(mission.status)} ${mission.progress} %`,
      '', stageTable(mission.stages), '', nextStep(mission),
    ].join('\n');
    if (height > 0) moveCursor(out, 0, -height);
    out.write('\r');
    clearScreenDown(out);
    const lines = text.split('\n').flatMap((line) => wrapped(line, out.columns || 80));
    out.write(`${lines.join('\n')}\n`);
    height = lines.length;
    drawnAt = Date.now();
  }
  return {
    changed: ({ body }) => draw(body),
    // The ages in it: once a second is enough.
    unchanged: ({ body }) => { if (Date.now() - drawnAt >= 1_000) draw(body); },
    ended: () => undefined,
  };
}

/** Lines cut where the terminal would break them, so that their number is known. A line that is cut loses its colours. */
function wrapped(line: string, columns: number): string[] {
  const plain = Array.from(stripVTControlCharacters(line));
  // Beyond the alphabets, a character may take two cells; taking all of those for wide only cuts a little early.
  const width = (character: string): number => (character.codePointAt(0)! > 0x10ff ? 2 : 1);
  const parts: string[] = [];
  let part = '';
  let filled = 0;
  for (const character of plain) {
    if (filled + width(character) > columns) {
      parts.push(part);
      [part, filled] = ['', 0];
    }
    part += character;
    filled += width(character);
  }
  return parts.length === 0 ? [line] : [...parts, part];
}
