/** Stage 1, fetch_context: what is true before anything is changed, written down and frozen. */
import type { FetchContextInput, FrozenContext } from '../domain/coding.ts';
import { digestOf } from '../ledger/canonical.ts';
import { version } from '../project.ts';
import { evidence } from '../store/artifacts.ts';
import { lastSample } from '../store/metrics.ts';
import { findRepository } from '../store/repositories.ts';
import type { ActivityDeps } from './deps.ts';
import { failure } from '../engine/failure.ts';
import { withHeartbeat } from './heartbeat.ts';
import { readPolicy } from '../store/policy.ts';
import { readSettings } from './settings.ts';

export const contextActivities = ({ config, database, artifacts, catalog, git, mirrors }: ActivityDeps) => ({
  /**
   * Resolves the target's tip, reads commands and protected paths from that commit, freezes policy and baselines.
   * Safe to repeat: reads only, except for the mirror's own fetch.
   * @throws REPOSITORY_UNREACHABLE, REPOSITORY_NOT_OWNED, BRANCH_UNKNOWN, SETTINGS_INVALID
   */
  async fetchContext(input: FetchContextInput): Promise<FrozenContext> {
    return withHeartbeat(async (signal) => {
      const repository = await findRepository(database, input.repository_id);
      if (repository === undefined) throw failure('REPOSITORY_UNREACHABLE', `no repository ${input.repository_id}`);
      const base = await mirrors.fetchTip(repository, input.target_branch, signal);
      const settings = await readSettings(git, mirrors.pathOf(repository.repository_id), base.commit, repository.settings);
      const policy = await readPolicy(config.configFolder);
      const policyDigest = digestOf(policy);
      const catalogDigest = digestOf(await catalog.fromFile());
      const at = new Date().toISOString();
      const baselines = await Promise.all(input.metric_ids.map(async (metricId) =>
        ({ metric_id: metricId, sample: (await lastSample(database.query, metricId, at)) ?? null })));
      const context = {
        git_sha: base.commit, git_tree: base.tree, branch: input.target_branch,
        config_hash: `sha256:${digestOf({ settings, policy, metrics_catalog: catalogDigest })}`, env: config.environment, version,
      };
      const record = await artifacts.putJson({ at, repository: repository.name, base, settings, policy, metrics_catalog_digest: catalogDigest, baselines, context });
      const moved = input.expected.git_sha !== null && !base.commit.startsWith(input.expected.git_sha);
      return {
        outcome: 'passed',
        reason: moved ? `${input.target_branch} has moved on from ${input.expected.git_sha}; the mission starts at its tip` : null,
        evidence: [evidence('context', record, `${repository.name} ${input.target_branch} at ${base.commit.slice(0, 12)}`)],
        repository: { repository_id: repository.repository_id, origin: repository.origin, kind: repository.kind },
        base, settings, policy, policy_digest: policyDigest, context,
      };
    });
  },
});
