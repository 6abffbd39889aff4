// oxlint-disable-next-line no-control-regex -- control characters are what a ref must not have
const forbidden = /[\x00-\x20\x7f~^:?*[\\]|\.\.|@\{|\/\/|\/\.|\.lock(\/|$)/;

/** Whether a text can be a branch, by the rules of git-check-ref-format(1), and never looks like an option. */
export const isBranchName = (name: string): boolean =>
  name.length > 0 && name.length <= 200 && name !== '@' && name !== 'HEAD' && !forbidden.test(name) &&
  !name.startsWith('-') && !name.startsWith('/') && !name.startsWith('.') && !name.endsWith('/') && !name.endsWith('.') &&
  !name.startsWith('refs/');
