/** A playbook bound to a resource by `config/playbooks.yaml`. */
import type { HealingLimits, Json } from './healing.ts';
import type { ObservationWindowInput } from './schema/observation.ts';

export interface Binding {
  playbook_id: string;
  subsystem_id: string;
  resource_id: string;
  /** As the playbook's own schema gives them, defaults filled in. */
  params: Json;
  approval: 'by_risk' | 'always';
  limits: HealingLimits;
  observe: ObservationWindowInput;
}
