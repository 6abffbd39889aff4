/** What an agent elsewhere works from: the brief, and the base commit as files that travel over HTTP. */
import { randomUUID } from 'node:crypto';
import { mkdir, writeFile } from 'node:fs/promises';
import { join } from 'node:path';
import type { EarlierAttempt } from '../domain/agent.ts';
import type { CommitRef, Work } from '../domain/coding.ts';
import type { MissionPackage } from '../domain/mission-package.ts';
import type { EvidenceRef } from '../domain/stages.ts';
import { removeFolder } from '../git/remove-folder.ts';
import { evidence } from '../store/artifacts.ts';
import { packedBaseKey, type PackedBase } from '../store/packed-base.ts';
import { once } from '../store/effects.ts';
import { writeBrief } from './agent-brief.ts';
import type { ActivityDeps } from './deps.ts';
import { withHeartbeat } from './heartbeat.ts';

export interface PrepareOfferInput extends Work {
  repository_id: string;
  base: CommitRef;
  mission: Pick<MissionPackage, 'title' | 'description' | 'symptoms' | 'acceptance_criteria'>;
  agent_attempt: number;
  max_attempts: number;
  earlier: EarlierAttempt[];
}

/** Bytes as the tree has them, every file: whatever a repository's own attributes say. */
const plainAttributes = '* -export-ignore -export-subst -text -ident -filter -working-tree-encoding\n';

export const agentOfferActivities = (deps: ActivityDeps) => ({
  /** The brief of an attempt, and its base packed once for all missions. Safe to repeat: both are named by what is in them. */
  async prepareOffer(input: PrepareOfferInput): Promise<{ brief: string; evidence: EvidenceRef[] }> {
    return withHeartbeat(async () => {
      const brief = await deps.artifacts.put(await writeBrief(deps, input), 'text/markdown');
      await once(deps.database.query, packedBaseKey(input.repository_id, input.base.commit), () => packBase(deps, input));
      return { brief: brief.sha256, evidence: [evidence('brief', brief, `brief of attempt ${input.agent_attempt}`)] };
    });
  },
});

/**
 * A bundle with the commit's whole history (a bundle cannot be shallow) as branch `base`, and its tree as an archive. Made
 * in a repository of its own that borrows the mirror's objects, so that the mirror has no ref of ours more.
 */
async function packBase({ config, git, mirrors, artifacts }: ActivityDeps, { repository_id, base }: PrepareOfferInput): Promise<PackedBase> {
  const folder = join(config.home, 'scratch', `base-${randomUUID()}`);
  const gitDir = join(folder, 'repository.git');
  const [bundle, archive] = [join(folder, 'base.bundle'), join(folder, 'base.tar.gz')];
  try {
    await mkdir(folder, { recursive: true, mode: 0o700 });
    await git.run(['init', '--quiet', '--bare', '--template=', '--initial-branch=base', '--', gitDir]);
    await mkdir(join(gitDir, 'info'), { recursive: true });
    await writeFile(join(gitDir, 'objects', 'info', 'alternates'), `${join(mirrors.pathOf(repository_id), 'objects')}\n`);
    await writeFile(join(gitDir, 'info', 'attributes'), plainAttributes);
    await git.run(['update-ref', 'refs/heads/base', base.commit], { gitDir });
    await git.run(['bundle', 'create', '--quiet', bundle, 'HEAD', 'refs/heads/base'], { gitDir });
    await git.run(['archive', '--format=tar.gz', `--output=${archive}`, base.commit], { gitDir });
    const [bundled, archived] = [await artifacts.putFile(bundle, 'application/x-git-bundle'), await artifacts.putFile(archive, 'application/gzip')];
    return { bundle: bundled.sha256, archive: archived.sha256 };
  } finally {
    await removeFolder(folder);
  }
}
