/** Detection: one look at everything of one interval, and what follows from it. */
import { systemActor } from '../domain/actor.ts';
import { blindAfter } from '../domain/finding.ts';
import type { Finding } from '../domain/finding-record.ts';
import { isStorm, stormCooldownSeconds } from '../domain/storm.ts';
import { probeMetric } from '../domain/subsystem.ts';
import { blindRule, stormRule, type RuledEvaluation } from '../domain/watch-rules.ts';
import { requestHealing } from '../engine/request-healing.ts';
import { openCapa } from '../store/capas.ts';
import { once } from '../store/effects.ts';
import { healable, noteHealingAsked, openFindings, stormFigures } from '../store/finding-list.ts';
import { evaluate, fingerprintOf, openFinding, resuppress, retire, type Surroundings } from '../store/findings.ts';
import { insertMeasured } from '../store/metrics.ts';
import { findRuleState } from '../store/rule-states.ts';
import { activeSilences } from '../store/silences.ts';
import { saveInhibition, saveResults } from '../store/subsystem-health.ts';
import type { Silence } from '../domain/silence.ts';
import type { ActivityDeps } from './deps.ts';
import { withHeartbeat } from './heartbeat.ts';
import { dependenciesOf, measureDue, readWatched, rulesOf, type Measured, type Watched } from './watching/measure-due.ts';
import { reasonOf } from './watching/reading.ts';

export interface WatchInput {
  interval_seconds: number;
  /** When it was due, milliseconds since the epoch. */
  tick: number;
}

export interface WatchResult {
  probes: number;
  evaluations: number;
  /** Healing missions that were asked for in this look. */
  healing: string[];
}

const longFlappingMs = 24 * 3_600_000;

export const watchActivities = (deps: ActivityDeps) => {
  const { database, temporal, logger } = deps;

  async function store({ results }: Measured): Promise<void> {
    for (const id of new Set(results.map((one) => one.subsystem_id))) {
      const own = results.filter((one) => one.subsystem_id === id);
      await database.transaction((query) => saveResults(query, id, own[0]!.declared, own.map((one) => one.result), Date.now()));
      for (const { result } of own) {
        if (result.state === 'unknown') continue;
        await insertMeasured(database.query, {
          metric_id: probeMetric(id, result.probe_id), source: 'probe', value: result.state === 'unhealthy' ? 0 : 1,
          at: new Date(result.measured_at).toISOString(), raw_digest: null,
        });
      }
    }
  }

  /** One rule, and the detector that finds out when the rule cannot be evaluated. */
  async function judge({ rule, evaluation }: RuledEvaluation, around: Surroundings): Promise<void> {
    await database.transaction(async (query) => {
      const { state } = await evaluate(query, rule, evaluation, around);
      const detector = blindRule(rule);
      const isBlind = state.no_data >= blindAfter;
      if (!isBlind && (await openFinding(query, fingerprintOf(detector))) === undefined) return;
      const reason = isBlind ? `not measured ${state.no_data} times in a row: ${evaluation.reason}` : 'measured again';
      await evaluate(query, detector, { outcome: isBlind ? 'bad' : 'good', value: state.no_data, at: evaluation.at, reason }, around);
    });
  }

  /** Findings of probes and metrics that the configuration no longer names. */
  async function retireUnwatched(watched: Watched): Promise<void> {
    const rules = rulesOf(watched);
    for (const { fingerprint, source, rule_id, attributes } of await openFindings(database.query)) {
      const rule = source === 'detector' ? attributes['rule'] ?? '' : rule_id;
      if (['probe', 'metric', 'detector'].includes(source) && !rules.has(rule)) await database.transaction((query) => retire(query, fingerprint, Date.now()));
    }
  }

  /** Silences, failing parents and flapping of findings that were not evaluated just now. */
  async function resuppressAll(inhibited: ReadonlyMap<string, string>, silences: readonly Silence[]): Promise<void> {
    for (const finding of await openFindings(database.query)) {
      await database.transaction(async (query) => {
        const flapping = (await findRuleState(query, finding.fingerprint))?.flapping ?? false;
        await resuppress(query, finding.fingerprint, flapping, { inhibited_by: inhibited.get(finding.subsystem_id) ?? null, silences }, Date.now());
      });
    }
  }

  /** @returns whether a storm lasts, its time to cool down included */
  async function storms(silences: readonly Silence[]): Promise<boolean> {
    const now = Date.now();
    const { begun, targets } = await stormFigures(database.query, now);
    const rule = stormRule(stormCooldownSeconds);
    const outcome = isStorm(begun, targets) ? 'bad' : 'good';
    if (outcome === 'good' && (await openFinding(database.query, fingerprintOf(rule))) === undefined) return false;
    const reason = `${begun} of ${targets} began to fail within two minutes`;
    const { finding } = await database.transaction((query) =>
      evaluate(query, rule, { outcome, value: begun, at: now, reason }, { inhibited_by: null, silences }));
    return finding !== undefined && finding.resolved_at === null;
  }

  /** What flaps for a day nobody has mended: effects have stopped for it, and a person is asked, once. */
  async function longFlapping(): Promise<void> {
    for (const finding of await openFindings(database.query)) {
      if (finding.state !== 'FLAPPING' || Date.parse(finding.state_since) > Date.now() - longFlappingMs) continue;
      await database.transaction((query) => once(query, `capa:flapping:${finding.finding_id}`, () => openCapa(query, {
        source: 'flapping', fingerprint: `healing:${finding.fingerprint}`, mission_id: null, subsystem_id: finding.subsystem_id,
        problem_statement: `${finding.title} comes and goes since ${finding.state_since}: ${finding.reason}`, evidence: [], actor: systemActor('detector'),
      })));
    }
  }

  async function heal(finding: Finding): Promise<string | null> {
    const mission = await requestHealing({ database, temporal }, {
      subsystem_id: finding.subsystem_id, symptom: finding.symptom!, resource_id: finding.resource_id, finding_id: finding.finding_id,
      fingerprint: finding.fingerprint, playbook_id: finding.playbook_id, dry_run: false, severity: finding.severity,
      details: {
        // What its window watches: the probe or the metric that it was made from.
        probe_id: finding.attributes['probe'] ?? null, metric_id: finding.attributes['metric'] ?? null,
        title: finding.title, reason: finding.reason, value: finding.value, attributes: finding.attributes, first_seen_at: finding.first_seen_at,
      },
    }, systemActor('detector'));
    await noteHealingAsked(database.query, finding.finding_id, mission, Date.now());
    return mission;
  }

  /**
   * Measures, stores, evaluates and asks for healing. Safe to repeat and to run twice at once: an evaluation that is not
   * newer changes nothing, and a finding has one healing mission however often it is asked for.
   */
  async function look(interval: number): Promise<WatchResult> {
    const watched = await readWatched(deps);
    const measured = await measureDue(watched, interval, deps);
    await store(measured);
    const inhibited = await database.transaction((query) => saveInhibition(query, dependenciesOf(watched)));
    const silences = await activeSilences(database.query);
    for (const one of measured.evaluations) {
      await judge(one, { inhibited_by: inhibited.get(one.rule.subsystem_id) ?? null, silences });
    }
    if (watched.problem === null) await retireUnwatched(watched);
    await resuppressAll(inhibited, silences);
    await longFlapping();
    const healing: string[] = [];
    if (!(await storms(silences))) {
      for (const finding of await healable(database.query, Date.now())) {
        try {
          const mission = await heal(finding);
          if (mission !== null) healing.push(mission);
        } catch (error) {
          // The next look asks again; the other findings must not wait for this one.
          logger.warn({ event: 'healing.not_asked', finding_id: finding.finding_id, reason: reasonOf(error) });
        }
      }
    }
    return { probes: measured.results.length, evaluations: measured.evaluations.length, healing };
  }

  return {
    async watchOnce({ interval_seconds }: WatchInput): Promise<WatchResult> {
      return withHeartbeat(() => look(interval_seconds));
    },
  };
};
