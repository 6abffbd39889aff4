/** What a command printed, as text that can be shown: hostile until here. */

// oxlint-disable-next-line no-control-regex -- the escape character is what we look for
const escapes = /\u001b(?:\[[0-9;?]*[ -/]*[@-~]|\][^\u0007\u001b]*(?:\u0007|\u001b\\)?|[@-_])/g;
// Every control and format character but newline and tab: overrides of the reading direction among them.
const unprintable = /[^\P{Cc}\n\t]|\p{Cf}/gu;

/** Without colours, cursor movements and invisible characters. A line that was written over shows its last state. */
export const logText = (text: string): string =>
  text.replace(escapes, '').replaceAll('\r\n', '\n').replace(/^.*\r(?=.)/gm, '').replace(unprintable, '');
