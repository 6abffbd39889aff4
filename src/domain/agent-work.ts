/** Work for agents elsewhere: a mission is offered, leased to one agent for a time, and gets patches from it. */
import type { Principal } from './actor.ts';
import type { CommitRef } from './coding.ts';
import type { Usage } from './budget.ts';
import type { StageName, StageStatus } from './stages.ts';

/** Bounds of a lease, in seconds. An agent that dies keeps its mission from the others for as long. */
export const leaseSeconds = { min: 1, max: 3_600, usual: 120 } as const;

/** Why a lease is over: nobody extended it, its agent gave it back, its patch was proved, no more patch is wanted. */
export const leaseEnds = ['expired', 'given_back', 'proved', 'no_more_attempts', 'mission_ended'] as const;
export type LeaseEnd = (typeof leaseEnds)[number];

/** One agent's hold on a mission. `expires_at` is by the database's clock; extending moves it there and nowhere else. */
export interface Lease {
  lease_id: string;
  mission_id: string;
  agent_id: string;
  agent_role: string | null;
  lease_seconds: number;
  granted_at: string;
  expires_at: string;
  ended_at: string | null;
  end_reason: LeaseEnd | null;
}

export const patchKinds = ['diff', 'bundle'] as const;
export type PatchKind = (typeof patchKinds)[number];

export const patchStates = ['testing', 'proved', 'failed'] as const;
export type PatchState = (typeof patchStates)[number];

/** How one stage went for a patch. */
export interface PatchStage {
  name: StageName;
  status: StageStatus;
  reason: string | null;
  /** Artefact with its output, when there is one. */
  log: string | null;
}

/** A patch that was posted, and what became of it. */
export interface AgentPatch extends Usage {
  mission_id: string;
  /** Among the mission's posted patches, from 1. */
  number: number;
  lease_id: string;
  agent_id: string;
  kind: PatchKind;
  /** Hex sha256 of its bytes in the artefact store. */
  artifact: string;
  size_bytes: number;
  state: PatchState;
  reason: string | null;
  stages: PatchStage[];
  /** Whether a further patch is wanted. */
  again: boolean;
  posted_at: string;
  ended_at: string | null;
}

/** What changed of a mission's work for agents since the record before. */
export interface AgentWorkChange {
  /** Columns of the mission's row. */
  mission: { offered?: boolean; brief?: string; base_commit?: string; worked_by?: string };
  leases: Lease[];
  patches: AgentPatch[];
}

/** What an agent that takes the mission gets to work from. */
export interface WorkOffer {
  /** The artefact with the brief. */
  brief: string;
  base: CommitRef;
  attempt: number;
  max_attempts: number;
}

export interface ClaimInput {
  principal: Principal;
  agent_role: string | null;
  lease_seconds: number;
  valid_until: string;
}
export interface ClaimAnswer { lease_id: string; offer: WorkOffer }

export interface GiveBackInput { principal: Principal; lease_id: string; valid_until: string }

export interface PostPatchInput extends Usage {
  principal: Principal;
  lease_id: string;
  kind: PatchKind;
  artifact: string;
  size_bytes: number;
  valid_until: string;
}
