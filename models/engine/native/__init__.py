"""The forward pass of a scoring request in C++, one source for AVX-512, AVX2 and Arm (`forward.cpp`)."""
