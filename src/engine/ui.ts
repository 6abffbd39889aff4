/** Where Temporal's own UI lists our workflows; a workflow's id behind it is that workflow. Null where there is no UI. */
export const workflowsUrl = ({ uiUrl, namespace }: { uiUrl: string | null | undefined; namespace: string }): string | null =>
  (uiUrl === undefined || uiUrl === null ? null : `${uiUrl}/namespaces/${encodeURIComponent(namespace)}/workflows`);
