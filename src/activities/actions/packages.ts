/** Packages of npm and pip: why an import fails, what is locked and what is there, and a clean copy put in the old one's place. */
import { checkPackages } from './packages/check.ts';
import { installPackages } from './packages/install.ts';
import { restoreLock, returnLock } from './packages/lock-file.ts';
import { resolvePackages } from './packages/resolve.ts';
import { statePackages } from './packages/state.ts';
import { swapPackages, swapPackagesBack } from './packages/swap.ts';

export const packageProbes = {
  'packages.check': checkPackages,
  'packages.state': statePackages,
  'packages.resolve': resolvePackages,
};

export const packageActions = {
  'packages.install': installPackages,
  'packages.restore_lock': restoreLock,
  'packages.return_lock': returnLock,
  'packages.swap': swapPackages,
  'packages.swap_back': swapPackagesBack,
};
