/**
 * The host whose disk holds a mission's mirror and worktrees. A mission stays with it; when its worker is gone for longer
 * than the grace time, another host fetches what the mission stands on and the stage begins again there.
 */
import { sleep } from '@temporalio/workflow';
import type { CommitRef } from '../domain/coding.ts';
import { neverStarted, onHost, record } from './activities.ts';
import type { Mission } from './mission.ts';

/** What another host needs besides the origin to go on: the candidate that the stages to come are about. */
export interface KeptCandidate { number: number; commit: string; bundle: string }

export interface MissionHost {
  /** Its task queue. */
  queue(): string;
  /** Remembers what the mission stands on from now on. */
  standOn(base: CommitRef, candidate: KeptCandidate | null): void;
  /** Waits for the host to come back; after the grace time moves the mission to another one. */
  recover(): Promise<void>;
}

const lookEvery = '3s';

export function openHost(mission: Mission, first: string): MissionHost {
  let queue = first;
  let base: CommitRef | null = null;
  let candidate: KeptCandidate | null = null;

  /** Looks until the host is there, or its time is over. */
  async function cameBack(graceMs: number): Promise<boolean> {
    const look = { alive: false, over: false };
    const looking = (async () => {
      while (!look.alive && !look.over) {
        await sleep(lookEvery);
        if (!look.over) look.alive = (await record.hostState(queue)).alive;
      }
    })();
    try {
      return await mission.wait({
        kind: 'operator', reason: `the host ${queue} is away: no worker takes its work`,
        who: 'whoever starts its worker again', on_deadline: 'another host takes over',
      }, () => look.alive, graceMs) === 'ready';
    } finally {
      look.over = true;
      await looking;
    }
  }

  async function recover(): Promise<void> {
    for (;;) {
      const { alive, grace_seconds: grace } = await record.hostState(queue);
      if (alive || await cameBack(grace * 1_000)) return;
      const from = queue;
      queue = await record.chooseHost();
      if (queue === from) return;
      mission.note('mission.moved', { from, to: queue });
      const { mission_id, workspace } = mission.package;
      if (base === null) return;
      try {
        return await onHost(queue).adoptMission({ mission_id, repository_id: workspace.repository_id, target_branch: workspace.target_branch, base, candidate });
      } catch (error) {
        if (!neverStarted(error)) throw error;
      }
    }
  }

  return {
    queue: () => queue,
    standOn(newBase, newCandidate) {
      base = newBase;
      candidate = newCandidate;
    },
    recover,
  };
}
