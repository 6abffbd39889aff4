import { useSignal } from '@preact/signals';
import { parseUnifiedDiff, type DiffFile } from '../unified-diff.ts';
import './diff.css';

const marks = { context: ' ', added: '+', removed: '−', note: '' } as const;
/** Longer files open folded. */
const openLines = 400;

/** A unified diff, file by file. */
export const Diff = ({ text }: { text: string }) => <>{parseUnifiedDiff(text).map((file, i) => <File key={i} file={file} />)}</>;

function File({ file }: { file: DiffFile }) {
  const lines = file.hunks.reduce((sum, hunk) => sum + hunk.lines.length, 0);
  const open = useSignal(lines <= openLines);
  return (
    <details class="diff" open={open.value} onToggle={(event) => { open.value = event.currentTarget.open; }}>
      <summary><span class="mono wrap">{file.was === null ? file.path : `${file.was} → ${file.path}`}</span> <span class="added">+{file.added}</span> <span class="removed">−{file.removed}</span></summary>
      {file.notes.map((note) => <p key={note} class="sub">{note}</p>)}
      {open.value && file.hunks.map((hunk, i) => (
        <div key={i} class="hunk" role="region" tabIndex={0} aria-label={`${file.path} ${hunk.header}`}>
          <table>
            <tbody>
              <tr class="hunk-head"><td colSpan={3}>{hunk.header}</td></tr>
              {hunk.lines.map((line, j) => (
                <tr key={j} class={line.kind}><td>{line.before}</td><td>{line.after}</td><td><span aria-hidden="true">{marks[line.kind]}</span>{line.text}</td></tr>
              ))}
            </tbody>
          </table>
        </div>
      ))}
    </details>
  );
}
