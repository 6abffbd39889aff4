/** Text of a form's field, without the spaces around it; empty when there is none. */
export function fieldOf(form: EventTarget | null, name: string): string {
  const value = new FormData(form as HTMLFormElement).get(name);
  return typeof value === 'string' ? value.trim() : '';
}
