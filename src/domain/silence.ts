/** Silences: findings that a person has asked not to act on and not to be told about, for a while and with a reason. */

/** All that are given must match; at least one is. */
export interface SilenceMatchers {
  subsystem_id?: string | undefined;
  rule_id?: string | undefined;
  fingerprint?: string | undefined;
}

export interface Silence {
  silence_id: string;
  matchers: SilenceMatchers;
  reason: string;
  created_by: string;
  created_at: string;
  until: string;
  removed_at: string | null;
}

export interface Silenceable { subsystem_id: string; rule_id: string; fingerprint: string }

/** The silence that covers a finding now; of several the one that lasts longest. */
export function silencedBy(finding: Silenceable, silences: readonly Silence[], now: number): Silence | undefined {
  return silences
    .filter((silence) => silence.removed_at === null && Date.parse(silence.until) > now && covers(silence.matchers, finding))
    .sort((a, b) => Date.parse(b.until) - Date.parse(a.until))[0];
}

const covers = (matchers: SilenceMatchers, finding: Silenceable): boolean => {
  const given = (['subsystem_id', 'rule_id', 'fingerprint'] as const).filter((name) => matchers[name] !== undefined);
  return given.length > 0 && given.every((name) => matchers[name] === finding[name]);
};
