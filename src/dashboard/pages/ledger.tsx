import { PageHeader } from '../parts/page-header.tsx';

export const LedgerPage = () => <PageHeader title="Ledger" />;
