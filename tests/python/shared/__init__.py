# SPDX-License-Identifier: MIT
"""What the Python tests share. Only the standard library."""
