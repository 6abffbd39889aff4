import type { HealthState } from '../../../domain/subsystem.ts';
import { Chip } from '../../parts/chip.tsx';
import { Copyable } from '../../parts/copyable.tsx';
import { Loaded } from '../../parts/states.tsx';
import { useResource } from '../../resource.ts';
import { healthTone } from '../../words.ts';

interface Status { version: string; git_sha: string | null; git_branch: string | null; environment: string; config_hash: string; temporal_ui_url: string | null; overall_health: HealthState }

/** What runs here, and where else to look. */
export function System() {
  const status = useResource<Status>('/status', { every_ms: 30_000 });
  const temporal = status.data?.temporal_ui_url ?? null;
  return (
    <div class="sections">
      <section>
        <h3>This installation</h3>
        <Loaded of={status} what="what runs here">
          {(one) => (
            <dl>
              <dt>Version</dt><dd>{one.version}</dd>
              <dt>Commit</dt><dd>{one.git_sha === null ? 'not a checkout' : <>{one.git_branch !== null && `${one.git_branch} · `}<Copyable value={one.git_sha} short={12} /></>}</dd>
              <dt>Environment</dt><dd>{one.environment}</dd>
              <dt>Configuration</dt><dd><Copyable value={one.config_hash} short={20} /></dd>
              <dt>Health</dt><dd><Chip tone={healthTone[one.overall_health]}>{one.overall_health}</Chip></dd>
            </dl>
          )}
        </Loaded>
      </section>
      <section>
        <h3>Elsewhere</h3>
        <ul class="links">
          <li><a href="/docs">API reference</a> <span class="sub">every route, with the permission it needs</span></li>
          <li><a href="/openapi.json">OpenAPI document</a> <span class="sub">for generated clients</span></li>
          {temporal === null
            ? <li>Temporal Web UI <span class="sub">its address is not known here</span></li>
            : <li><a href={temporal} target="_blank" rel="noreferrer">Temporal Web UI</a> <span class="sub">every workflow, with its history</span></li>}
          <li><a href="/ledger">Ledger</a> <span class="sub">everything that happened, sealed</span></li>
        </ul>
      </section>
    </div>
  );
}
