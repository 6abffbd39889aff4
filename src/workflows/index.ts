export { capa } from './capa.ts';
export { codingMission } from './coding-mission.ts';
export { effects } from './effects.ts';
export { healingMission } from './healing-mission.ts';
export { maintainMetrics } from './maintain-metrics.ts';
export { mergeQueue } from './merge-queue.ts';
export { deliverNotification, dispatchNotifications } from './notifications.ts';
export { observationWindow } from './observation-window.ts';
export { reconcileMissions } from './reconcile.ts';
