"""What the local servers share: who may ask, at which address, and what becomes of uploads."""
