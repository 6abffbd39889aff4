// oxlint-disable-next-line no-control-regex -- control characters are what a ref must not have
const forbidden = /[\x00-\x20\x7f~^:?*[\\]|\p{Surrogate}|\.\.|@\{|\/\/|\/\.|\.lock(\/|$)/u;

// In bytes: a loose ref is a file, and file names end at 255 bytes, `.lock` included.
const maxBytes = 200;

/** Whether a text can be a branch, by the rules of git-check-ref-format(1), and never looks like an option. */
export const isBranchName = (name: string): boolean =>
  name.length > 0 && new TextEncoder().encode(name).length <= maxBytes && name !== '@' && name !== 'HEAD' && !forbidden.test(name) &&
  !name.startsWith('-') && !name.startsWith('/') && !name.startsWith('.') && !name.endsWith('/') && !name.endsWith('.') &&
  !name.startsWith('refs/');

/** What is said of a name that is none; answered as GIT_REF_INVALID. */
export const branchRule = 'a branch name as git-check-ref-format takes it';
export const commitRule = 'a full commit id';
