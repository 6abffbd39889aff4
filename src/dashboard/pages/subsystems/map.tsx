import { useMemo } from 'preact/hooks';
import { useSignal } from '@preact/signals';
import { inPath } from '../../api.ts';
import { navigate } from '../../route.ts';
import { duration, now } from '../../time.ts';
import { healthTone, plural } from '../../words.ts';
import { layersOf } from './layers.ts';
import type { SubsystemView } from './wire.ts';

const box = { width: 188, height: 46, across: 76, down: 12, edge: 8 };

/** What depends on what, with the health of each. The list beside it says the same to those who do not see it. */
export function DependencyMap({ items }: { items: readonly SubsystemView[] }) {
  const shape = JSON.stringify(items.map(({ id, depends_on }) => ({ id, depends_on })));
  const { nodes, edges, layers, rows } = useMemo(() => layersOf(items), [shape]);
  const over = useSignal<string | null>(null);
  const at = new Map(nodes.map((node) => [node.id, { x: box.edge + node.layer * (box.width + box.across), y: box.edge + node.row * (box.height + box.down) }]));
  const width = 2 * box.edge + layers * box.width + Math.max(0, layers - 1) * box.across;
  const height = 2 * box.edge + rows * (box.height + box.down) - box.down;
  const near = (from: string, to: string): boolean => over.value === from || over.value === to;
  return (
    <div class="map scroll" role="group" tabIndex={0} aria-label="Dependency map, scrollable">
      <svg width={width} height={height} viewBox={`0 0 ${width} ${height}`} role="img" aria-label={`Dependency map of ${plural(items.length, 'subsystem')}; the list says the same in words`}>
        <g aria-hidden="true">
          {edges.map(({ from, to }) => {
            const [a, b] = [at.get(to)!, at.get(from)!];
            const [x1, y1, x2, y2] = [a.x + box.width, a.y + box.height / 2, b.x, b.y + box.height / 2];
            const bend = Math.max(30, Math.abs(x2 - x1) / 2);
            return <path key={`${from} ${to}`} class={`edge ${near(from, to) ? 'near' : ''}`} d={`M ${x1} ${y1} C ${x1 + bend} ${y1} ${x2 - bend} ${y2} ${x2} ${y2}`} />;
          })}
          {items.map((one) => {
            const { x, y } = at.get(one.id)!;
            return (
              <g key={one.id} data-node={one.id} class={`node ${healthTone[one.state]}`} transform={`translate(${x} ${y})`} onClick={() => navigate(`/subsystems/${inPath(one.id)}`)}
                onPointerEnter={() => { over.value = one.id; }} onPointerLeave={() => { over.value = null; }}>
                <title>{`${one.name}: ${one.state}${one.reason === null ? '' : `, ${one.reason}`}`}</title>
                <rect width={box.width} height={box.height} rx={6} />
                <rect class="tint" width={4} height={box.height - 12} x={6} y={6} rx={2} />
                <text x={20} y={19}>{cut(one.id)}</text>
                <text class="state-word" x={20} y={35}>{cut(`${one.state} · ${ageOf(one)}`, 30)}</text>
              </g>
            );
          })}
        </g>
      </svg>
    </div>
  );
}

const cut = (text: string, most = 23): string => (text.length > most ? `${text.slice(0, most - 1)}…` : text);

const ageOf = ({ measured_at }: SubsystemView): string => (measured_at === null ? 'never measured' : duration(Math.max(0, now.value - Date.parse(measured_at))));
