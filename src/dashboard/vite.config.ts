import { defineConfig } from 'vite';

/** What only some pages need, and is loaded with them. */
const later = /\/(pages\/(?!index\.ts|overview\.tsx|overview\/(?!activity))|palette\/|frame\/sign-in|parts\/(told|ask-dialog|chart|tabs|diff|windowed-list|copyable|action-button|form)|steering|event-words|unified-diff|log-text)/;

export default defineConfig({
  publicDir: false,
  // The folder is our own fresh one, and Vite would rather not empty what lies outside its root.
  build: {
    emptyOutDir: false, target: 'es2022',
    // Everything is a file with a hash in its name: the page's policy allows no inline code, and no data: but pictures.
    assetsInlineLimit: 0, modulePreload: { polyfill: false },
    // What is loaded at once is one file: it compresses better than six.
    rolldownOptions: { output: { codeSplitting: { groups: [{ name: 'frame', test: (id: string) => !/\.css$|uplot|ufuzzy/i.test(id) && !later.test(id) }] } } },
  },
  oxc: { jsx: { runtime: 'automatic', importSource: 'preact' } },
});
