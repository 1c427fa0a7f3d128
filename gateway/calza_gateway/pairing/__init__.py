"""Making a stocking one of this gateway's, and who answers when the radio asks for a passkey."""
