/** How often one instance of a service may be restarted: a sliding window over every restart by any playbook. */
export const restartBudget = { max: 5, seconds: 600 } as const;

/** What a restart is counted for: an instance, or a service that is restarted as a whole. */
export const restartTarget = (subsystemId: string, serviceId: string, instanceId: string | null): string =>
  [subsystemId, serviceId, ...(instanceId === null ? [] : [instanceId])].join('/');
