/** One landing of the queue from the tip to the branch: build, test what nobody has tested, land by compare-and-swap. */
import { ActivityFailure, CancellationScope, isCancellation, patched } from '@temporalio/workflow';
import type { BuiltLanding } from '../activities/landing/build.ts';
import type { MergedTest } from '../activities/landing/test.ts';
import type { LandingRequest, LandingResult, TipMove } from '../domain/landing.ts';
import { landingOn, neverStarted } from './activities.ts';

const maxTries = 3;

export interface LandingDesk {
  /** What became of it; `stepped_aside` when it was being tested and made way. */
  land(request: LandingRequest): Promise<LandingResult | 'stepped_aside'>;
  /** Ends the tests that run now, if any. A landing that got further than that is brought to its end. */
  stepAside(): void;
}

export function openLandingDesk(): LandingDesk {
  let testing: CancellationScope | null = null;
  return {
    stepAside: () => { if (testing !== null && patched('reverts-interrupt')) testing.cancel(); },
    async land(request) {
      try {
        return await tryToLand(request, async (test) => {
          const scope = new CancellationScope();
          testing = scope;
          try {
            return await scope.run(test);
          } finally {
            testing = null;
          }
        });
      } catch (error) {
        if (!(error instanceof ActivityFailure)) throw error;
        if (isCancellation(error)) return 'stepped_aside';
        // Infrastructure: the mission waits visibly and asks again, from another host if this one is gone.
        const away = neverStarted(error);
        return {
          kind: 'blocked', request_id: request.request_id, ...(away ? { host_away: true } : {}),
          reason: away ? `${request.host_queue} is away` : error.cause?.message ?? error.message,
        };
      }
    },
  };
}

/** From the start again when the tip moved, at most three times. */
async function tryToLand(request: LandingRequest, interruptible: (test: () => Promise<MergedTest>) => Promise<MergedTest>): Promise<LandingResult> {
  const host = landingOn(request.host_queue);
  const { request_id } = request;
  const moves: TipMove[] = [];
  for (let tries = 1; tries <= maxTries; tries += 1) {
    const built = await host.buildLanding(request);
    if (built.kind === 'already_reverted') return { kind: 'already_reverted', request_id };
    if (built.kind === 'conflict') return conflict(request, built);

    const { commit, tree, tip, parents, patch_id } = built;
    const samePatch = patch_id === request.patch_id;
    const needsTest = !built.landed_before && !request.tested_trees.includes(tree);
    const tested = needsTest ? await interruptible(() => host.testLanding({ request, commit: { commit, tree }, tip })) : null;
    if (tested?.passed === false) {
      return { kind: 'tests_failed', request_id, reasons: tested.reasons, evidence: tested.evidence, neighbours: tested.neighbours ?? [] };
    }
    const flaky = tested?.flaky ?? [];
    const carried = request.kind === 'land' && tree !== request.approved_tree;
    // A test that is flaky on the merged tree is somebody's to judge, too.
    if (carried && !(request.carry_approval && samePatch && flaky.length === 0)) {
      return { kind: 'approval_void', request_id, tree, commit, patch_id, tested: needsTest, flaky, evidence: tested?.evidence ?? [] };
    }

    const landed = await host.land({ request, commit, tree, tip: tip.commit, parents, same_patch: samePatch });
    switch (landed.kind) {
      case 'landed':
        return {
          kind: 'landed', request_id, commit, tree, parents, onto: tip, carried, tested: needsTest,
          evidence: [...(tested?.evidence ?? []), ...landed.evidence],
        };
      case 'blocked': return { kind: 'blocked', request_id, reason: landed.reason };
      case 'violation': return { kind: 'violation', request_id, reason: landed.reason };
      case 'base_moved': moves.push({ from: tip.commit, to: landed.now ?? null });
    }
  }
  return { kind: 'base_moved', request_id, tries: maxTries, moves };
}

/** A revert that conflicts is a person's business: with what came later on top of the landing. */
async function conflict(request: LandingRequest, built: Extract<BuiltLanding, { kind: 'conflict' }>): Promise<LandingResult> {
  const result = { ...built, request_id: request.request_id };
  if (request.kind === 'land' || !patched('revert-names-dependents')) return result;
  return { ...result, neighbours: await landingOn(request.host_queue).dependentsOf(request) };
}
