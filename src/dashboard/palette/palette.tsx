export const Palette = ({ close }: { close: () => void }) => <dialog open onClick={close}>palette</dialog>;
