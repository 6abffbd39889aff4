import { defineConfig } from 'vite';

interface ModuleInfo { isEntry: boolean; importers: readonly string[] }

/** Whether the page loads this module at once: a chain of static imports leads to it from the entry. */
function comesAtOnce(id: string, infoOf: (id: string) => ModuleInfo | null, seen = new Set<string>()): boolean {
  if (seen.has(id)) return false;
  seen.add(id);
  const info = infoOf(id);
  return info !== null && (info.isEntry || info.importers.some((importer) => comesAtOnce(importer, infoOf, seen)));
}

export default defineConfig({
  publicDir: false,
  // The folder is our own fresh one, and Vite would rather not empty what lies outside its root.
  build: {
    emptyOutDir: false, target: 'es2022',
    // Everything is a file with a hash in its name: the page's policy allows no inline code, and no data: but pictures.
    assetsInlineLimit: 0, modulePreload: { polyfill: false },
    // What comes at once is one file: it compresses better than six.
    rolldownOptions: { output: { codeSplitting: { groups: [{ name: (id, context) => (!id.endsWith('.css') && comesAtOnce(id, (of) => context.getModuleInfo(of)) ? 'frame' : null) }] } } },
  },
  oxc: { jsx: { runtime: 'automatic', importSource: 'preact' } },
});
