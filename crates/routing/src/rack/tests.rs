mod agree;
mod numbers;
