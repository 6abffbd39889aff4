import { permissions, type Permission } from '../../../domain/actor.ts';
import { ActionButton } from '../../parts/action-button.tsx';
import { Age } from '../../parts/age.tsx';
import { Copyable } from '../../parts/copyable.tsx';
import { signedIn, signOut } from '../../session.ts';
import { theme, themes, type Theme } from '../../theme.ts';

const all = Object.keys(permissions) as Permission[];
const themeWords: Readonly<Record<Theme, string>> = { system: 'as the system', dark: 'dark', light: 'light' };

/** Who is signed in, what they may do and what not, this session, and how the page looks. */
export function You() {
  const session = signedIn();
  if (session === null) return null;
  const { principal, permissions: held, expires_at: ends } = session;
  const not = all.filter((permission) => !held.includes(permission));
  return (
    <div class="sections">
      <section>
        <h3>You</h3>
        <dl>
          <dt>Name</dt><dd><b>{principal.id}</b> <span class="faint">{principal.kind}</span></dd>
          <dt>Role</dt><dd>{principal.role}</dd>
          <dt>Key</dt><dd>{principal.name !== undefined && principal.name !== null && `${principal.name} · `}<Copyable value={principal.key_id} /></dd>
        </dl>
      </section>
      <section>
        <h3>This session</h3>
        <dl>
          <dt>Ends</dt><dd>{ends === null ? 'with its key' : <><Age at={ends} />, if it is not used until then</>}</dd>
        </dl>
        <p class="sub">It lives and dies with the key above. Another browser is signed in with <code>missionctl open</code>, or with the key.</p>
        <ActionButton run={async () => { await signOut(); return null; }}>Sign out</ActionButton>
      </section>
      <section>
        <h3>Appearance</h3>
        <div class="bar" role="radiogroup" aria-label="Theme">
          {themes.map((one) => (
            <label key={one} class="choice"><input type="radio" name="theme" checked={theme.value === one} onChange={() => { theme.value = one; }} /> {themeWords[one]}</label>
          ))}
        </div>
      </section>
      <section>
        <h3>What you may do</h3>
        <p class="marks">{held.map((permission) => <code key={permission}>{permission}</code>)}</p>
        {not.length > 0 && <><h3>And what not</h3><p class="marks not">{not.map((permission) => <code key={permission} title={permissions[permission].join(', ')}>{permission}</code>)}</p></>}
      </section>
    </div>
  );
}
