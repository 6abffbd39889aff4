export { codingMission } from './coding-mission.ts';
export { mergeQueue } from './merge-queue.ts';
export { observationWindow } from './observation-window.ts';
export { reconcileMissions } from './reconcile.ts';
