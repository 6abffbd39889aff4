import { PageHeader } from '../parts/page-header.tsx';

export const MissionsPage = () => <PageHeader title="Missions" />;
