/** What heals a finding, or why nothing does: the same rules that the detector goes by, told as sentences. */
import type { Finding } from '../../../domain/finding-record.ts';
import type { BoundPlaybook, PlaybookView } from '../playbooks/wire.ts';

/** A playbook that is bound where the finding is, and what it would say now. */
export interface Healer {
  playbook: PlaybookView;
  binding: BoundPlaybook;
  /** Null: it may run. */
  hindrance: string | null;
}

export interface Healing {
  /** Of the finding itself; null when its state lets it be healed. */
  hindrance: string | null;
  healers: Healer[];
  /** The whole of it in one sentence. */
  said: string;
}

type Told = Pick<Finding, 'state' | 'symptom' | 'subsystem_id' | 'resource_id' | 'playbook_id' | 'healing_mission_id' | 'inhibited_by'>;

/** @param playbooks null while they are not known */
export function whatHeals(finding: Told, playbooks: readonly PlaybookView[] | null): Healing {
  const healers = playbooks === null ? [] : healersOf(finding, playbooks);
  const hindrance = hindranceOf(finding);
  return { hindrance, healers, said: said(finding, hindrance, healers, playbooks !== null) };
}

function healersOf(finding: Told, playbooks: readonly PlaybookView[]): Healer[] {
  const { symptom, subsystem_id, resource_id, playbook_id: only } = finding;
  if (symptom === null) return [];
  return playbooks.filter((playbook) => (only === null ? playbook.symptoms.includes(symptom) : playbook.playbook_id === only)).flatMap((playbook) =>
    playbook.bindings.filter((binding) => binding.subsystem_id === subsystem_id && (resource_id === null || binding.resource_id === resource_id))
      .map((binding) => ({ playbook, binding, hindrance: binding.ruling.kind === 'allowed' ? null : `${inWords(binding.ruling.code)}: ${binding.ruling.reason}` })));
}

const inWords = (code: string): string => code.toLowerCase().replaceAll('_', ' ');

function hindranceOf({ state, symptom, inhibited_by }: Told): string | null {
  switch (state) {
    case 'RESOLVED': return 'it is over';
    case 'PENDING': return 'it does not fire yet: it must last first';
    case 'RECOVERING': return 'it is recovering by itself';
    case 'NO_DATA': return 'nothing measures it now, and what is not measured is not acted on';
    case 'FLAPPING': return 'it flaps: effects stop until it is steady';
    case 'SILENCED': return 'it is silenced';
    case 'INHIBITED': return `${inhibited_by ?? 'what it depends on'} fails and explains it; that is healed first`;
    case 'FIRING': return symptom === null ? 'it names no symptom, so no playbook can match it' : null;
  }
}

function said(finding: Told, hindrance: string | null, healers: readonly Healer[], known: boolean): string {
  if (finding.healing_mission_id !== null) return `taken up by ${finding.healing_mission_id}`;
  if (hindrance !== null) return finding.state === 'RESOLVED' ? 'nothing to heal: it is over' : `nothing heals it: ${hindrance}`;
  if (!known) return 'not known: the playbooks are not loaded';
  if (healers.length === 0) return `nothing heals it: no playbook for ${finding.symptom} is bound to ${[finding.subsystem_id, finding.resource_id].filter((part) => part !== null).join('/')}`;
  const free = healers.find((healer) => healer.hindrance === null);
  if (free === undefined) return `nothing heals it: ${healers.map(({ playbook, hindrance: why }) => `${playbook.playbook_id} ${why}`).join('; ')}`;
  return `${free.playbook.playbook_id} takes it up by itself`;
}
