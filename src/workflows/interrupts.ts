/** Ways out of a pipeline that are decisions, not failures. Only `codingMission` catches them. */

/** Somebody ended the mission. */
export class MissionAborted extends Error {
  constructor(reason: string) {
    super(reason);
    this.name = 'MissionAborted';
  }
}

/** The mission cannot end well by itself: it becomes a CAPA. */
export class MissionEscalated extends Error {
  constructor(reason: string) {
    super(reason);
    this.name = 'MissionEscalated';
  }
}
