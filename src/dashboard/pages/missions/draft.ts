/** From the fields of the form to the body that the API takes. The API checks it; here nothing is guessed. */

/** Every field as it was typed; empty when it was not. */
export interface Draft {
  title: string;
  subsystem_id: string;
  severity: string;
  symptom: string;
  repository: string;
  assigned_to: string;
  tests: string;
  minutes: string;
  diff: string;
  more: string;
  start: string;
}

type Body = Record<string, unknown>;

const isObject = (value: unknown): value is Body => typeof value === 'object' && value !== null && !Array.isArray(value);

/** Objects merge, everything else is replaced by what is laid over it. */
function laidOver(below: Body, above: Body): Body {
  const result: Body = { ...below };
  for (const [name, value] of Object.entries(above)) {
    const under = result[name];
    result[name] = isObject(under) && isObject(value) ? laidOver(under, value) : value;
  }
  return result;
}

/** @throws Error when the JSON is none */
function parsed(text: string): Body {
  if (text === '') return {};
  let value: unknown;
  try {
    value = JSON.parse(text);
  } catch (error) {
    throw new Error(`the JSON cannot be read: ${(error as Error).message}`, { cause: error });
  }
  if (!isObject(value)) throw new Error('the JSON must be an object, like {"labels": ["checkout"]}');
  return value;
}

const onlyGiven = (values: Body): Body => Object.fromEntries(Object.entries(values).filter(([, value]) => value !== undefined && value !== ''));

/** @throws Error when the JSON part cannot be read */
export function bodyOf(draft: Draft): Body {
  const tests = draft.tests.split('\n').map((line) => line.trim()).filter((line) => line !== '');
  const workspace = onlyGiven({
    ...(draft.repository.startsWith('/') ? { repo_path: draft.repository } : { repository: draft.repository }),
    // A form trims what is typed, and a diff ends with its newline.
    patch_candidates: draft.diff === '' ? undefined : [{ kind: 'diff', text: `${draft.diff}\n` }],
  });
  const criteria = onlyGiven({ must_pass_tests: tests.length === 0 ? undefined : tests, observation_window_minutes: draft.minutes === '' ? undefined : Number(draft.minutes) });
  const fields = onlyGiven({
    title: draft.title, subsystem_id: draft.subsystem_id, severity: draft.severity, assigned_to: draft.assigned_to,
    symptoms: draft.symptom === '' ? undefined : [{ description: draft.symptom }],
    acceptance_criteria: Object.keys(criteria).length === 0 ? undefined : criteria,
    workspace: Object.keys(workspace).length === 0 ? undefined : workspace,
  });
  return { ...laidOver(fields, parsed(draft.more)), execute: draft.start === 'yes' };
}
