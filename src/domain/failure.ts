/** Typed failures of activities: the codes, and what the workflow does with each. */
export const failureCodes = [
  'REPOSITORY_UNREACHABLE', 'REPOSITORY_NOT_OWNED', 'REPOSITORY_UNSOUND', 'REPO_LIMIT', 'PATH_FORBIDDEN', 'BRANCH_UNKNOWN', 'TREE_MISMATCH', 'SETTINGS_INVALID',
  'SETUP_FAILED', 'NO_TEST_COMMAND', 'TOOL_MISSING', 'DISK_FULL', 'WORKSPACE_BUSY', 'ARTIFACT_MISSING', 'LANDING_VIOLATION',
  'NOTIFICATION_REFUSED', 'SANDBOX_UNAVAILABLE', 'HOST_EXHAUSTED', 'INTERNAL',
] as const;
export type FailureCode = (typeof failureCodes)[number];

/** Failures that trying again cannot mend without somebody changing something first. */
export const permanentFailures: readonly FailureCode[] = [
  'REPOSITORY_NOT_OWNED', 'REPOSITORY_UNSOUND', 'REPO_LIMIT', 'PATH_FORBIDDEN', 'BRANCH_UNKNOWN', 'TREE_MISMATCH', 'SETTINGS_INVALID', 'NO_TEST_COMMAND', 'TOOL_MISSING',
  'ARTIFACT_MISSING', 'LANDING_VIOLATION', 'NOTIFICATION_REFUSED', 'SANDBOX_UNAVAILABLE',
];
