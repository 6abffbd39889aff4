/** The steps that mend a SQLite file, from what is wrong with it. */
import type { PlannedStep } from '../../../domain/healing.ts';
import { step, undo } from '../playbook.ts';
import type { SqliteCorruptionFacts } from './sqlite.ts';

const longSeconds = 1_800;

/** Writers are down from before the evidence is taken until the repair is done, and come back however it ends. */
export function repairSteps(facts: SqliteCorruptionFacts, writers: readonly string[]): PlannedStep[] {
  const { path, identity } = facts;
  const all = { instance: null };
  return [
    ...writers.map((service) => step({
      id: `stop_${service}`, action: 'service.stop', with: { service, ...all }, timeout_seconds: longSeconds,
      effect: `stops every instance of ${service}, which writes to ${path}`, reversibility: 'compensable', compensate: undo('service.start', { service, ...all }),
    })),
    step({
      id: 'copy_evidence', action: 'sqlite.copy_evidence', with: { path, identity }, timeout_seconds: longSeconds, reversibility: 'reversible',
      effect: `keeps ${path}, its WAL and its journal, byte by byte, in the artefact store`,
    }),
    ...repair(facts),
    ...writers.map((service) => step({
      id: `start_${service}`, action: 'service.start', with: { service, ...all }, timeout_seconds: longSeconds,
      effect: `starts ${service} again`, reversibility: 'compensable', compensate: undo('service.stop', { service, ...all }),
    })),
  ];
}

function repair(facts: SqliteCorruptionFacts): PlannedStep[] {
  const { path, identity, stamp, damage } = facts;
  const file = { path, identity };
  const replacement = { ...file, side: `${path}.side-${stamp}`, quarantine: `${path}.quarantined-${stamp}` };
  const putBack = undo('sqlite.put_back', { ...file, quarantine: replacement.quarantine, withdrawn: `${path}.withdrawn-${stamp}` });
  const common = { timeout_seconds: longSeconds };
  switch (facts.repair.way) {
    case 'reindex': return [step({
      ...common, id: 'reindex', action: 'sqlite.reindex', with: { ...file, indexes: damage.wrong_indexes }, data_loss: facts.repair.data_loss,
      effect: `makes ${damage.wrong_indexes.join(', ')} anew from their tables, in one transaction${lossText(facts.repair.data_loss)}`,
    })];
    case 'rebuild': return [step({
      ...common, id: 'rebuild', action: 'sqlite.rebuild', with: replacement, data_loss: facts.repair.data_loss, reversibility: 'compensable', compensate: putBack,
      effect: `writes every row into a new file, compares them, and puts it in the place of ${path}, which becomes ${replacement.quarantine}${lossText(facts.repair.data_loss)}`,
    })];
    case 'restore': {
      const { backup, data_loss } = facts.repair;
      return [step({
        ...common, id: 'restore', action: 'sqlite.restore', data_loss, reversibility: 'compensable', compensate: putBack,
        with: { ...replacement, backup: backup.path, sha256: backup.sha256, rows: backup.rows },
        effect: `puts the backup ${backup.path} of ${backup.modified_at} in the place of ${path}, which becomes ${replacement.quarantine}; at least ${data_loss} rows or changes since then are lost`,
      })];
    }
    case 'salvage': return [
      step({
        ...common, id: 'salvage', action: 'sqlite.salvage', with: { ...file, side: `${path}.salvaged-${stamp}` }, on_failure: 'next', reversibility: 'reversible',
        effect: `copies what can still be read into ${path}.salvaged-${stamp}; ${path} itself is not touched`,
      }),
      step({
        id: 'hand_over', action: 'sqlite.hand_over', with: { code: 'NO_GOOD_BACKUP', reason: whyNone(facts) }, reversibility: 'reversible',
        effect: 'ends the run: no file may take the place of the database without a person choosing it',
      }),
    ];
  }
}

const lossText = (rows: number): string => (rows === 0 ? '' : `; ${rows} rows that only indexes still know are lost`);

function whyNone({ path, stamp, unfit }: SqliteCorruptionFacts): string {
  const why = unfit.length === 0 ? 'there is no backup' : unfit.map((one) => `${one.path} ${one.reason}`).join('; ');
  return `${path} cannot be mended without loss, and no backup is good: ${why}. What can still be read is in ${path}.salvaged-${stamp}`.slice(0, 4_000);
}
