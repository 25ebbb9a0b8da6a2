// The part of qrcode-generator 2.0.4 (see NOTICE) that the page uses.
interface QRCode {
  addData(text: string): void;
  make(): void;
  getModuleCount(): number;
  isDark(row: number, column: number): boolean;
}
export function qrcode(version: number, errorCorrection: "L" | "M" | "Q" | "H"): QRCode;
